// Loaded before a program (`node --require`): gives it a clock that runs faster, or that is behind.
const factor = Number(process.env.OTHER_CLOCK_FACTOR ?? 1)
const from = Number(process.env.OTHER_CLOCK_FROM ?? 0)
const shift = Number(process.env.OTHER_CLOCK_SHIFT ?? 0)
const RealDate = Date
const now = () => Math.round(from + (RealDate.now() - from) * factor + shift)

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now())
    else super(...given)
  }

  static now() {
    return now()
  }
}
