"""The stage that rotates what matrices pass to each other: equal in float, easier to round."""
