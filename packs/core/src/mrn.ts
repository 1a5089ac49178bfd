/** The MRN of a running number: eight digits, the last a Luhn check digit (ISO/IEC 7812-1) against typing errors. */
export function mrnOf(number: number): string {
  const digits = String(number).padStart(7, '0')
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const doubled = at % 2 === 0 ? Number(digit) * 2 : Number(digit)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return `${digits}${(10 - (sum % 10)) % 10}`
}
