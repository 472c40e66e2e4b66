import type { Keymux } from '../../domain/keymux.js'
import { printable } from '../../domain/printable.js'
import type { ProfileView } from '../../domain/profiles.js'
import type { CliContext } from './context.js'
import { localTime } from './render/time.js'

/** Says on standard error that a profile that was named does not serve, and which one does instead. */
export async function tellPassedOver(
  { output, host }: CliContext,
  { profiles }: Pick<Keymux, 'profiles'>,
  named: string,
  used: string,
): Promise<void> {
  if (named === used) return
  const why = reasonOf(await profiles.view(named), new Date(Number(host.clock.now())))
  output.note(`${printable(named)} ${why}; using ${printable(used)}`)
}

function reasonOf(view: ProfileView, now: Date): string {
  const until = view.unusableUntil === undefined ? '' : ` until ${localTime(view.unusableUntil, now)}`
  switch (view.state) {
    case 'off':
      return 'is switched off'
    case 'cooling':
    case 'disabled':
      return `is ${view.state}${until}`
    case 'expired':
      return 'has expired'
    case 'invalid':
      return view.loginNeeded === true ? 'needs a login' : 'has no credential'
    case 'available':
      return 'cannot serve this now'
  }
}
