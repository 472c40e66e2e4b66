import type { CliContext } from '../context.js'

/** What a changing command prints: the ids that it changed; a sentence for people on a terminal. */
export function printChanged(
  context: CliContext,
  ids: readonly string[],
  sentence: (id: string) => string,
): void {
  const { output } = context
  if (output.json) output.document({ changed: ids })
  else for (const id of ids) output.text(output.isTTY ? sentence(id) : id)
}
