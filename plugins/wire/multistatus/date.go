package multistatus

import "time"

// calendar writes times. It keeps the text of the last day that it was asked
// for: the entries of a directory often share one.
type calendar struct {
	day  int64 // since 1970
	text []byte
}

const secondsPerDay = 24 * 60 * 60

// writable reports whether t is a known time of a year with four digits.
func writable(t time.Time) bool {
	const first, last = -62135596800, 253402300799 // 0001-01-01, 9999-12-31
	s := t.Unix()
	return first < s && s <= last
}

// appendFixdate appends t as RFC 9110 section 5.6.7 prefers it:
// "Mon, 02 Jan 2006 15:04:05 GMT".
func (c *calendar) appendFixdate(b []byte, t time.Time) []byte {
	second := c.turn(t, "Mon, 02 Jan 2006 ")
	return append(appendClock(append(b, c.text...), second), " GMT"...)
}

// appendISO appends t as RFC 3339 has it: "2006-01-02T15:04:05Z".
func (c *calendar) appendISO(b []byte, t time.Time) []byte {
	second := c.turn(t, "2006-01-02T")
	return append(appendClock(append(b, c.text...), second), 'Z')
}

// turn makes c.text that of t's day in layout, which is the same in all calls,
// and returns the second of the day.
func (c *calendar) turn(t time.Time, layout string) int {
	s := t.Unix()
	day := s / secondsPerDay
	if s%secondsPerDay < 0 {
		day--
	}
	if c.text == nil || c.day != day {
		c.day = day
		c.text = t.UTC().AppendFormat(c.text[:0], layout)
	}
	return int(s - day*secondsPerDay)
}

// appendClock appends the second of a day as "15:04:05".
func appendClock(b []byte, second int) []byte {
	h, m, s := second/3600, second/60%60, second%60
	return append(b,
		'0'+byte(h/10), '0'+byte(h%10), ':',
		'0'+byte(m/10), '0'+byte(m%10), ':',
		'0'+byte(s/10), '0'+byte(s%10))
}
