import type { CliContext } from '../context.js'
import { printChanged } from './changed.js'
import { viewsOf } from './ids.js'

/** Switches profiles on or off. */
export async function switchProfiles(
  context: CliContext,
  ids: readonly string[],
  enabled: boolean,
): Promise<undefined> {
  const { profiles } = await context.open()
  const views = await viewsOf(profiles, ids, context.signal)
  for (const { id } of views) await profiles.update(id, { enabled }, { signal: context.signal })
  printChanged(
    context,
    views.map((view) => view.id),
    (id) => (enabled ? `${id} is switched on.` : `${id} is switched off.`),
  )
  return undefined
}
