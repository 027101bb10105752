"""The audit trail: digests, signatures, seals and their verification."""
