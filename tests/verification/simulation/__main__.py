"""Run simulations: `--seeds 0:1000`, or `--seed 7 --verbose`."""

from tests.verification.simulation.campaign import main

if __name__ == "__main__":
    raise SystemExit(main())
