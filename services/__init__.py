"""The online half of Xunwen: four services and the library they share."""
