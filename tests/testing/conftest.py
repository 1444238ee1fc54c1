"""What the tests of the test kit share."""

pytest_plugins = ("pytester",)
