import { confirmed } from '../confirm.js'
import { slotWords } from '../render/slots.js'
import type { CommandSpec } from '../spec.js'
import { printChanged } from './changed.js'

/** `keymux vault remove-slot`: a way that opens the vault no more. */
export const vaultRemoveSlot: CommandSpec = {
  description:
    'The last slot cannot be removed. Whoever knows the key of a removed slot can still open older copies of the vault. On a terminal it asks first, unless --yes is given.',
  arguments: [{ name: 'SLOT', summary: 'the id of a slot, as keymux vault slots lists it' }],
  options: [{ flags: '-y, --yes', summary: 'do not ask' }],
  examples: [{ line: 'keymux vault remove-slot 4f1c9a02b7d35e68', does: 'removes one of several' }],
  async run(context, input) {
    const { vault } = await context.open()
    const id = input.argument('SLOT')
    const slot = (await vault.slots({ signal: context.signal })).find((each) => each.id === id)
    const question =
      slot === undefined
        ? undefined
        : `Remove the ${slotWords(slot.type)} ${id}${slot.current ? ', with which you opened the vault' : ''}?`
    // An unknown id is the vault's to refuse, and not worth a question.
    if (
      question !== undefined &&
      !(await confirmed(context, input.flag('yes'), question, 'Nothing was removed.'))
    ) {
      return 1
    }
    await vault.removeSlot(id, { signal: context.signal })
    printChanged(context, [id], () => `Slot ${id} opens the vault no more.`)
    return undefined
  },
}
