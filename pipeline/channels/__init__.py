"""What a link remembers of its virtual channels between two records: which frames came, which octets they had, which
are not believed yet, and what was received when. Stored in chunks by time, so that no entry grows without bound."""
