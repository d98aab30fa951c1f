//! The graphs that the engine is measured on, as lists of predecessors.
#![allow(dead_code, reason = "each bench uses some of them")]

/// For each node the nodes whose values it takes; all of them come before it.
pub(crate) type Graph = Vec<Vec<u32>>;

/// W1: `n` nodes that take nothing.
pub(crate) fn independent(n: u32) -> Graph {
    (0..n).map(|_| Vec::new()).collect()
}

/// W2: a chain of `n` nodes.
pub(crate) fn chain(n: u32) -> Graph {
    (0..n).map(|node| node.checked_sub(1).into_iter().collect()).collect()
}

/// W3: `layers` × `width` nodes, each taking three random nodes of the layer before.
pub(crate) fn layers(layers: u32, width: u32) -> Graph {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as u32
    };
    let mut graph = independent(width);
    for layer in 1..layers {
        let first = (layer - 1) * width;
        graph.extend((0..width).map(|_| (0..3).map(|_| first + random() % width).collect()));
    }
    graph
}

/// W4: a reduction tree of `leaves` leaves (a power of two).
pub(crate) fn tree(leaves: u32) -> Graph {
    let mut graph = independent(leaves);
    let (mut first, mut width) = (0, leaves);
    while width > 1 {
        graph.extend((0..width / 2).map(|i| vec![first + 2 * i, first + 2 * i + 1]));
        first += width;
        width /= 2;
    }
    graph
}

/// W5: two nodes and one that takes both.
pub(crate) fn sum() -> Graph {
    vec![vec![], vec![], vec![0, 1]]
}

/// The graph as a workflow document of blocks `Sum` of module `Bench`.
pub(crate) fn document(graph: &Graph) -> String {
    let mut text = String::from(r#"{"blocks":["#);
    for id in 0..graph.len() {
        let comma = if id == 0 { "" } else { "," };
        text += &format!(
            r#"{comma}{{"id":{id},"type":"Sum","module":"Bench.zip:Bench","values":{{}}}}"#
        );
    }
    text += r#"],"edges":["#;
    let mut comma = "";
    for (id, before) in graph.iter().enumerate() {
        for from in before {
            text += &format!(
                r#"{comma}{{"id":1,"block1":{from},"connector1":["out","output"],"block2":{id},"connector2":["in","input"]}}"#
            );
            comma = ",";
        }
    }
    text += "]}";
    text
}
