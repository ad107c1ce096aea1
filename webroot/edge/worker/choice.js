// The constants of the choice of a node.  The smart client imports them; the load generator reads what stands
// between the braces as JSON (loadgen/models/choice_constants.py, where each is explained).

export const CHOICE = {
  "near": 1.5,
  "slow": 3,
  "leastMs": 10,
  "equal": 1.25,
  "full": 6,
  "errors": 2,
  "ejectMs": 5000,
  "ejectMostMs": 120000,
  "ejectLeast": 0.75,
  "ejectSpread": 0.5,
  "returnMs": 15000,
  "returnShare": 0.1,
  "redraw": 0.5,
  "redrawLeast": 0.02,
  "redrawMost": 0.5,
  "tauMs": 10000,
  "forgiveMs": 60000,
  "floorRise": 1.005
};
