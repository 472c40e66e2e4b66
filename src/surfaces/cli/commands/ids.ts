import { parseProfileId } from '../../../domain/ids.js'
import type { Profiles, ProfileView } from '../../../domain/profiles.js'

/**
 * The views of the profiles named, in the order given, each once. All of them are looked up before any is
 * touched, so that a mistyped id changes nothing.
 *
 * @throws KeymuxError `invalid_profile_id`, `profile_not_found`
 */
export async function viewsOf(
  profiles: Profiles,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<ProfileView[]> {
  const unique = [...new Set(ids.map((id) => parseProfileId(id).id))]
  return Promise.all(unique.map((id) => profiles.view(id, { signal })))
}
