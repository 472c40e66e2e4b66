import { credentialEnvNames } from '../../../providers/request.js'
import { runChild } from '../exec-child.js'
import { parseMembers } from '../members.js'
import { environmentOf } from '../provider-env.js'
import { readSelection, SELECTION_OPTIONS } from '../selection.js'
import type { CommandSpec } from '../spec.js'

/** Never passed on: who can read the child's environment must not be able to open the vault. */
const OWN_VARIABLES = ['KEYMUX_PASSPHRASE', 'KEYMUX_EXPORT_PASSPHRASE', 'KEYMUX_GATEWAY_TOKEN']

/** `keymux exec`: runs a program with credentials in its environment. */
export const exec: CommandSpec = {
  description:
    'Sets the variables that the provider’s own SDKs read, runs the program without a shell, passes signals on and ends with its exit status. Other variables for the same provider are removed, and so is the vault’s passphrase.',
  arguments: [
    { name: 'PROVIDER[:NAME][,…]', summary: 'whose credentials', completes: 'provider' },
    { name: 'CMD', summary: 'the program and its arguments, after --', variadic: true, anyText: true },
  ],
  options: SELECTION_OPTIONS,
  examples: [
    { line: 'keymux exec openai -- python ask.py', does: 'runs it with OPENAI_API_KEY set' },
    { line: 'keymux exec openai:work,anthropic -- make eval', does: 'sets the variables of both' },
  ],
  async run(context, input) {
    const members = parseMembers('PROVIDER', input.argument('PROVIDER[:NAME][,…]'))
    const handle = await context.open()
    const variables = await environmentOf(handle, members, readSelection(input, context.signal))
    const env: Record<string, string | undefined> = { ...context.host.env }
    for (const { provider } of members) {
      const metadata = handle.providers.get(provider)
      for (const name of metadata === undefined ? [] : credentialEnvNames(metadata)) delete env[name]
    }
    for (const name of OWN_VARIABLES) delete env[name]
    Object.assign(env, variables)
    // The use is written down and the vault locked before a program runs that may run for days.
    await context.close()
    const [command = '', ...args] = input.variadic('CMD')
    return runChild({ command, args, env, interrupts: context.host.interrupts })
  },
}
