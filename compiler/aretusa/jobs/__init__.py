"""jobs.txt: what a program writes into the registers of N-EUREKA and MCHAN, for people to read."""
