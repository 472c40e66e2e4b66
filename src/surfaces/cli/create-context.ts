import type { Keymux } from '../../domain/keymux.js'
import type { CliContext, CliHost } from './context.js'
import { Output } from './output.js'
import type { OpenOptions } from './services.js'
import { resolveSettings } from './settings.js'
import { createStyle, wantsColor } from './style.js'

/** Makes a context of a host and the global flags. @throws KeymuxError `usage`, `invalid_value` */
export function createContext(host: CliHost, flags: Readonly<Record<string, unknown>>): CliContext {
  const settings = resolveSettings(flags, host)
  const colors = wantsColor({
    isTTY: host.stdout.isTTY,
    env: host.env,
    refused: settings.noColor || settings.json,
  })
  let handle: Promise<Keymux> | undefined
  const context: CliContext = {
    host,
    settings,
    output: new Output(host.stdout, host.stderr, settings),
    style: createStyle(colors),
    signal: host.interrupts.signal,
    notices: [],
    open(options) {
      handle ??= openVault(context, options).then((opened) => {
        // A refresh token that has been spent must not be lost with what it was spent for.
        host.interrupts.holdWhile(() => opened.oauth.underWay)
        return opened
      })
      return handle
    },
    async close() {
      const opened = handle
      handle = undefined
      // A vault that could not be opened has told so already, through open().
      await (await opened?.catch(() => undefined))?.close()
    },
  }
  return context
}

async function openVault(context: CliContext, options: OpenOptions | undefined): Promise<Keymux> {
  const { openWithUnlock } = await import('./passphrase.js')
  const notice = (text: string): void => {
    context.notices.push(text)
    context.output.note(`keymux: ${text}`)
  }
  return openWithUnlock(context, { notice, ...options })
}
