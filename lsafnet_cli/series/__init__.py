"""Series: more than two dates of one place, the changes of each interval, and what they say together."""
