"""The process: scheduler, audit publisher, worker pool, logging and hardening."""
