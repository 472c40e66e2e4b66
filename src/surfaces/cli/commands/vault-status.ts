import { formatTime } from '../../../domain/rfc3339.js'
import type { CliContext } from '../context.js'
import { renderFacts } from '../render/facts.js'
import { renderSlots, slotToJson } from '../render/slots.js'
import { formatLocal } from '../render/time.js'
import type { CommandSpec } from '../spec.js'
import { inspectLocked, lockedFacts, openUnasked, type VaultFacts } from '../vault-facts.js'

/** `keymux vault status`: what can be said of the vault, open or not. */
export const vaultStatus: CommandSpec = {
  description:
    'It never asks for a passphrase: what is in the vault is counted only where KEYMUX_PASSPHRASE, --passphrase-fd or KEYMUX_KEY_FILE opens it.',
  examples: [{ line: 'keymux vault status', does: 'where the vault is and what opens it' }],
  async run(context) {
    const handle = await openUnasked(context)
    const facts =
      handle === undefined
        ? lockedFacts(await inspectLocked(context))
        : await handle.vault.status({ signal: context.signal })
    context.output.result(toJson(facts), () => render(facts, context))
    return undefined
  },
}

function toJson(facts: VaultFacts): Record<string, unknown> {
  return {
    location: facts.location,
    kind: facts.kind,
    vault_id: facts.vaultId,
    format: facts.format,
    term: facts.term,
    created_at: formatTime(facts.createdAt),
    unlocked: facts.unlocked,
    slots: facts.slots.map(slotToJson),
    ...(facts.profiles === undefined ? {} : { profiles: facts.profiles }),
    ...(facts.secrets === undefined ? {} : { secrets: facts.secrets }),
  }
}

function render(facts: VaultFacts, { style, output }: CliContext): string {
  const { profiles, secrets } = facts
  return [
    renderFacts(
      [
        ['vault', facts.location],
        ['id', facts.vaultId],
        ['stored as', `${facts.kind}, format ${facts.format}`],
        ['made', formatLocal(facts.createdAt)],
        ['term', String(facts.term)],
        ['state', facts.unlocked ? 'open: the key was at hand' : 'locked'],
        ['profiles', profiles === undefined ? undefined : String(profiles)],
        ['secrets', secrets === undefined ? undefined : String(secrets)],
      ],
      style,
    ),
    '',
    renderSlots(facts.slots, { style, width: output.width, indent: 2 }),
  ].join('\n')
}
