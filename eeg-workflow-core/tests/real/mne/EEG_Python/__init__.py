from .data_provider.OfflineDataProvider import OfflineDataProvider
from .preprocessing.ChannelSelection import ChannelSelection
from .preprocessing.ChannelNames import ChannelNames
from .preprocessing.EventAndIds import EventAndIds
from .preprocessing.EpochExtraction import EpochExtraction
from .preprocessing.EpochAveraging import EpochAveraging
from .preprocessing.Filter import Filter
from .features.WaveletTransform import WaveletTransform
from .features.FeatureLabeling import FeatureLabeling
from .classification.SaveModel import SaveModel
from .classification.NeuralNetworkLayer import NeuralNetworkLayer
from .classification.NeuralNetworkClassifier import NeuralNetworkClassifier
from .visualization.EpochPlot import EpochPlot
from .visualization.EEGPlot import EEGPlot

string_classobject_mapping = {
    OfflineDataProvider.name: OfflineDataProvider(),
    ChannelSelection.name: ChannelSelection(),
    ChannelNames.name: ChannelNames(),
    EventAndIds.name: EventAndIds(),
    EpochExtraction.name: EpochExtraction(),
    EpochAveraging.name: EpochAveraging(),
    Filter.name: Filter(),
    WaveletTransform.name: WaveletTransform(),
    FeatureLabeling.name: FeatureLabeling(),
    SaveModel.name: SaveModel(),
    NeuralNetworkLayer.name: NeuralNetworkLayer(),
    NeuralNetworkClassifier.name: NeuralNetworkClassifier(),
    EpochPlot.name: EpochPlot(),
    EEGPlot.name: EEGPlot(),
}
