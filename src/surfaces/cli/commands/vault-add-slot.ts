import { KeymuxError } from '../../../domain/errors.js'
import type { Unlock } from '../../../domain/vault.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import { type PreparedKeyFile, prepareKeyFile } from '../key-file.js'
import { NEW_PASSPHRASE_OPTION, readNewPassphrase } from '../new-slot.js'
import { slotToJson, slotWords } from '../render/slots.js'
import type { CommandSpec } from '../spec.js'
import { absolutePath } from '../vault-facts.js'

/** `keymux vault add-slot`: another way to open the vault. */
export const vaultAddSlot: CommandSpec = {
  description:
    'Opens the vault first. The new passphrase comes from KEYMUX_NEW_PASSPHRASE, --new-passphrase-fd or the terminal, where it is typed twice; a key file is made if it is absent.',
  options: [
    { flags: '--passphrase', summary: 'a further passphrase' },
    { flags: '--key-file <PATH>', summary: 'a key file', completes: 'file' },
    { flags: '--label <LABEL>', summary: 'what to call it, such as "ci" or "laptop"' },
    NEW_PASSPHRASE_OPTION,
  ],
  examples: [
    { line: 'keymux vault add-slot --key-file /etc/keymux.key --label ci', does: 'for a server' },
    { line: 'keymux vault add-slot --passphrase --label ada', does: 'a passphrase for somebody else' },
  ],
  async run(context, input) {
    const keyFilePath = input.text('key-file')
    if (input.flag('passphrase') === (keyFilePath !== undefined)) {
      throw new KeymuxError('usage', 'a slot is opened by a passphrase or by a key file', {
        hint: 'use --passphrase or --key-file PATH',
      })
    }
    const label = input.text('label')
    const { vault } = await context.open()
    const { unlock, keyFile } = await newWay(context, input, keyFilePath)
    try {
      const { signal } = context
      const slot = await vault.addSlot(unlock, { signal, label })
      context.output.result(
        { slot: slotToJson(slot), ...(keyFile === undefined ? {} : { key_file: keyFile.path }) },
        () => `${context.style.good('✓')} Slot ${slot.id} is added: ${slotWords(slot.type)}${at(keyFile)}.`,
      )
    } catch (error) {
      await keyFile?.discard()
      throw error
    }
    return undefined
  },
}

async function newWay(
  context: CliContext,
  input: CommandInput,
  keyFilePath: string | undefined,
): Promise<{ unlock: Unlock; keyFile?: PreparedKeyFile }> {
  if (keyFilePath === undefined) return { unlock: { passphrase: await readNewPassphrase(context, input) } }
  const keyFile = await prepareKeyFile(absolutePath(context, '--key-file', keyFilePath))
  return { unlock: { keyFile: keyFile.path }, keyFile }
}

function at(keyFile: PreparedKeyFile | undefined): string {
  if (keyFile === undefined) return ''
  return ` ${keyFile.path}${keyFile.made ? ', which was made now' : ''}`
}
