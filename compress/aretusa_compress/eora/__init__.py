"""The stage that puts branches of low rank beside quantised weights, to take back their error."""
