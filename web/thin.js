// Fewer points where they show the same picture.
const CELLS = [400, 120]; // of the chart: one point of a kind is drawn in each
export const LARGE = 500; // points of a kind, from which on they are drawn as one shape

/** Of points that lie on each other one is enough. isLog: their second value's
 * axis is logarithmic. */
export function thinned(points, isLog = false, cells = CELLS) {
  if (points.length <= 2 * cells[0]) {
    return points;
  }
  const at = [(p) => p.value[0], isLog ? (p) => Math.log(p.value[1]) : (p) => p.value[1]];
  const range = (axis) => {
    let low = Infinity;
    let high = -Infinity;
    for (const p of points) {
      low = Math.min(low, at[axis](p));
      high = Math.max(high, at[axis](p));
    }
    return [low, (high - low) / cells[axis] || 1];
  };
  const [x0, dx] = range(0);
  const [y0, dy] = range(1);
  const seen = new Set();
  return points.filter((p) => {
    const cell = Math.floor((at[0](p) - x0) / dx) * (cells[1] + 2)
      + Math.floor((at[1](p) - y0) / dy);
    const isNew = !seen.has(cell);
    seen.add(cell);
    return isNew;
  });
}
