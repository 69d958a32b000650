"""The market: from "H100:8, anywhere" to concrete machines, places and prices.

catalog   prices from CSV files in SkyPilot's v8 columns, or the dated starter catalogue
request   what one job needs of each of its nodes
plan      every feasible offer, the cheapest first, and a reason for each refusal
place     a whole colony: clusters, pools and recorded prices
show      the rows behind `colony prices show`
"""
