const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day'
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'

const IMF_FIXDATE = new RegExp(`^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`)
const RFC_850 = new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`)
const ASCTIME = new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`)

/**
 * Reads an HTTP-date in any of its three formats (RFC 9110 §5.6.7), and nothing else: `Date.parse` takes much that is no date.
 *
 * @param now milliseconds since the epoch, for years of two digits: what would be more than fifty years ahead is of the past
 * @returns milliseconds since the epoch; undefined for what is no HTTP-date
 */
export function parseHttpDate (text: string, now: number): number | undefined {
  const { day, month, year, hour, minute, second } = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups ?? {}
  if (year === undefined) return undefined
  const fullYear = year.length === 4 ? Number(year) : centuryOf(Number(year), now)
  // Date has no leap seconds: :60 is the next minute's :00.
  const [hours, minutes, seconds] = [Number(hour), Number(minute), Number(second)]
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(fullYear, MONTHS.indexOf(month!), Number(day))
  // 31 June would be 1 July.
  if (date.getUTCDate() !== Number(day)) return undefined
  return date.setUTCHours(hours, minutes, seconds)
}

function centuryOf (year: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear()
  const guess = thisYear - thisYear % 100 + year
  return guess > thisYear + 50 ? guess - 100 : guess
}

/** As IMF-fixdate. @param milliseconds since the epoch; what is left of a second is dropped */
export function formatHttpDate (milliseconds: number): string {
  return new Date(milliseconds).toUTCString()
}
