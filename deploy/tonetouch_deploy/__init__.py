"""From laptop to cluster: the command line `tonetouch`, the embedded launcher, provisioning, the demo album."""
