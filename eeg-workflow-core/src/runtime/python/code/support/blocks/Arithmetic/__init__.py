"""The blocks of the built-in module, for modules that derive from them or use them. (Workflows run
the native ones.)"""

from .AddSub.Addition import Addition
from .AddSub.Subtraction import Subtraction
from .Constant.Constant import Constant
from .Graph.Plot import Plot
from .MultiDiv.Division import Division
from .MultiDiv.Multiplication import Multiplication

string_classobject_mapping = {
    kind.name: kind() for kind in (Addition, Subtraction, Multiplication, Division, Constant, Plot)
}
