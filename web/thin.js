// Fewer points, the same picture.

const CELLS = [400, 120]; // of the chart: one point of a kind is drawn in each

/** Of points that lie on each other one is enough; `keep` is always there. */
export function thinned(points, keep) {
  if (points.length <= 2 * CELLS[0]) {
    return points;
  }
  const range = (axis) => {
    let low = Infinity;
    let high = -Infinity;
    for (const p of points) {
      low = Math.min(low, p.value[axis]);
      high = Math.max(high, p.value[axis]);
    }
    return [low, (high - low) / CELLS[axis] || 1];
  };
  const [x0, dx] = range(0);
  const [y0, dy] = range(1);
  const seen = new Set();
  return points.filter((p) => {
    const cell = Math.floor((p.value[0] - x0) / dx) * (CELLS[1] + 2)
      + Math.floor((p.value[1] - y0) / dy);
    const isNew = !seen.has(cell);
    seen.add(cell);
    return isNew || p.number === keep;
  });
}
