import type { CommandSpec } from '../spec.js'

/** `keymux vault rotate`: new keys for all of it. */
export const vaultRotate: CommandSpec = {
  description:
    'Makes a new root key and a new term of keys, wraps them for every slot, and seals every record anew, in one step: nobody is asked for a passphrase, and an interrupted rotation has changed nothing. Who kept keys of before reads and writes nothing in the vault any more; older copies of it he can still open. Gateways and other programs that have the vault open go on. With 100,000 records it takes some seconds, in which others wait to write.',
  examples: [{ line: 'keymux vault rotate', does: 'once a year, or after somebody may have seen the keys' }],
  async run(context) {
    const { vault } = await context.open()
    const { term, rows, emptied } = await vault.rotate({ signal: context.signal })
    context.output.result(
      { term, rows, ...(emptied === 0 ? {} : { emptied }) },
      () =>
        `${context.style.good('✓')} The vault has new keys (term ${term}); ${rows} record${rows === 1 ? ' is' : 's are'} sealed under them.`,
    )
    if (emptied > 0) {
      context.output.note(
        `${emptied} damaged record(s) of what is remembered of use were emptied: cooldowns may have been forgotten, and no credential.`,
      )
    }
    return undefined
  },
}
