import { withoutUndefined } from '../../../domain/defined.js'
import type { Keymux } from '../../../domain/keymux.js'
import type { Rotated, SlotView } from '../../../domain/vault.js'
import { confirmed } from '../confirm.js'
import type { CliContext } from '../context.js'
import { slotWords } from '../render/slots.js'
import type { CommandSpec } from '../spec.js'

/** Credentials in the vault: who could open it may have read them. */
interface Seen {
  readonly profiles: readonly { readonly id: string; readonly renewAt: string | undefined }[]
  readonly secrets: readonly string[]
}

/** `keymux vault remove-slot`: a way that opens the vault no more. */
export const vaultRemoveSlot: CommandSpec = {
  description:
    'The last slot cannot be removed. The vault gets new keys in the same step (see keymux vault rotate), so that who had the slot reads and writes nothing in it any more. What he has read he knows: the credentials that he could have seen are listed, with the page where their provider renews them, and older copies of the vault still open for him. Take his write access to the file away first. On a terminal it asks first, unless --yes is given.',
  arguments: [{ name: 'SLOT', summary: 'the id of a slot, as keymux vault slots lists it' }],
  options: [
    {
      flags: '--no-rotate',
      summary: 'keep the present keys: a copy of them that he has made still opens everything',
    },
    { flags: '-y, --yes', summary: 'do not ask' },
  ],
  examples: [
    { line: 'keymux vault remove-slot 4f1c9a02b7d35e68', does: 'removes one of several' },
    { line: 'keymux vault remove-slot 4f1c9a02b7d35e68 --no-rotate', does: 'one of your own, never copied' },
  ],
  async run(context, input) {
    const handle = await context.open()
    const { vault } = handle
    const { signal } = context
    const id = input.argument('SLOT')
    const slot = (await vault.slots({ signal })).find((each) => each.id === id)
    // An unknown id is the vault's to refuse, and not worth a question.
    if (
      slot !== undefined &&
      !(await confirmed(context, input.flag('yes'), questionOn(slot), 'Nothing was removed.'))
    ) {
      return 1
    }
    const seen = await seenIn(handle, context)
    const rotated = await vault.removeSlot(id, { signal, rotate: !input.flag('no-rotate') })
    print(context, id, rotated, seen)
    return undefined
  },
}

function questionOn({ id, type, current }: SlotView): string {
  return `Remove the ${slotWords(type)} ${id}${current ? ', with which you opened the vault' : ''}?`
}

async function seenIn(handle: Keymux, { signal }: CliContext): Promise<Seen> {
  const { profiles, providers, vault } = handle
  const stored = (await profiles.views({}, { signal })).filter(({ reference }) => reference === undefined)
  return {
    profiles: stored.map(({ id, provider }) => ({ id, renewAt: providers.get(provider)?.website })),
    secrets: await vault.list({ signal }),
  }
}

function print({ output }: CliContext, id: string, rotated: Rotated | undefined, seen: Seen): void {
  const { profiles, secrets } = seen
  if (output.json) {
    output.document({
      changed: [id],
      ...(rotated === undefined ? {} : { term: rotated.term, rows: rotated.rows }),
      seen: {
        profiles: profiles.map(({ id: profile, renewAt }) =>
          withoutUndefined({ id: profile, renew_at: renewAt }),
        ),
        secrets,
      },
    })
    return
  }
  output.text(output.isTTY ? `Slot ${id} opens the vault no more.` : id)
  output.note(
    rotated === undefined
      ? 'The keys of the vault are as they were: a copy of them still opens everything. See keymux vault rotate.'
      : `The vault has new keys (term ${rotated.term}).`,
  )
  if (profiles.length + secrets.length === 0) return
  output.note('Who had the slot could have read these credentials. Renew them where they come from:')
  for (const { id: profile, renewAt } of profiles) {
    output.note(`  ${profile}${renewAt === undefined ? '' : `  ${renewAt}`}`)
  }
  for (const name of secrets) output.note(`  secret ${name}`)
}
