import { renderSlots, slotToJson } from '../render/slots.js'
import type { CommandSpec } from '../spec.js'

/** `keymux vault slots`: what opens the vault. */
export const vaultSlots: CommandSpec = {
  description: 'A slot is one way to open the vault: a passphrase or a key file. There can be several.',
  examples: [{ line: 'keymux vault slots', does: 'lists them, and says which one opened it now' }],
  async run(context) {
    const { vault } = await context.open()
    const slots = await vault.slots({ signal: context.signal })
    const { output, style } = context
    output.result({ slots: slots.map(slotToJson) }, () => renderSlots(slots, { style, width: output.width }))
    return undefined
  },
}
