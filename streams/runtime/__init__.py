"""The stream runtime on Faust and the guarantees it adds."""
