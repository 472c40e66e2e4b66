import type { World } from './world.js'

/** So many runs a search for a shorter world takes at most. */
const MOST_RUNS = 120

/**
 * Leaves out requests, episodes and accounts as long as a world still `breaks` the rule, so that what is left can be read.
 *
 * @param atMs when the rule was broken: what comes later does not matter
 */
export async function shrinkWorld(
  world: World,
  atMs: number,
  breaks: (world: World) => Promise<boolean>,
): Promise<World> {
  let runs = 0
  let found = world
  const tries = async (made: World): Promise<boolean> => {
    runs += 1
    if (runs > MOST_RUNS || !(await breaks(made))) return false
    found = made
    return true
  }
  await tries({ ...world, requests: world.requests.filter((request) => request.atMs <= atMs) })
  for (const kind of ['requests', 'episodes', 'accounts'] as const) {
    for (
      let size = Math.ceil(found[kind].length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let from = 0; from < found[kind].length && runs <= MOST_RUNS; ) {
        const list: readonly unknown[] = found[kind]
        const left = [...list.slice(0, from), ...list.slice(from + size)]
        if (!(await tries({ ...found, [kind]: left }))) from += size
      }
    }
  }
  return found
}
