import type { CliContext } from './context.js'

/**
 * Whether to go on with what cannot be undone: asks on a terminal unless `yes`, never elsewhere. When the
 * answer is no it says `otherwise`.
 */
export async function confirmed(
  context: CliContext,
  yes: boolean,
  question: string,
  otherwise: string,
): Promise<boolean> {
  const { host, output } = context
  if (yes || output.json || !host.stdin.isTTY) return true
  const sure = await host.prompter.confirm(question)
  if (sure === false) output.note(otherwise)
  return sure !== false
}
