package web

import (
	"strconv"
	"time"
)

// appendSize appends a number of bytes as people read it, in binary units and
// up to three digits: "0 B", "1.5 KiB", "23 MiB".
func appendSize(b []byte, n int64) []byte {
	if n < 1024 {
		b = strconv.AppendInt(b, n, 10)
		return append(b, " B"...)
	}
	const units = "KMGTPE"
	unit := 0
	// Tenths are kept in n, rounded half up; beyond 9.9 whole units are shown.
	// A value that would round to 1024 goes to the next unit.
	whole := n
	for whole>>10 >= 1024 || whole>>10 == 1023 && whole&1023 >= 512 && unit < len(units)-1 {
		whole >>= 10
		unit++
	}
	value, part := whole>>10, whole&1023
	if tenths := (part*10 + 512) >> 10; value < 9 || value == 9 && tenths < 10 {
		if tenths == 10 {
			value, tenths = value+1, 0
		}
		b = strconv.AppendInt(b, value, 10)
		b = append(b, '.', '0'+byte(tenths))
	} else {
		if part >= 512 {
			value++
		}
		b = strconv.AppendInt(b, value, 10)
	}
	return append(b, ' ', units[unit], 'i', 'B')
}

// appendGrouped appends n >= 0 with a comma between groups of three digits.
func appendGrouped(b []byte, n int64) []byte {
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], n, 10)
	head := len(s) % 3
	if head == 0 {
		head = min(3, len(s))
	}
	b = append(b, s[:head]...)
	for s = s[head:]; len(s) > 0; s = s[3:] {
		b = append(b, ',')
		b = append(b, s[:3]...)
	}
	return b
}

// appendTime appends t as a time element: RFC 3339 for programs, day and
// minute for people, both in UTC. Nothing is appended for the zero time or a
// year that RFC 3339 has no form for.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return b
	}
	hour, minute, second := t.Clock()
	b = append(b, `<time datetime="`...)
	date := len(b)
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), day)
	b = append(b, 'T')
	b = appendTwo(b, hour)
	b = appendTwo(append(b, ':'), minute)
	short := len(b)
	b = appendTwo(append(b, ':'), second)
	b = append(b, `Z">`...)
	b = append(b, b[date:date+len("2006-01-02")]...)
	b = append(b, ' ')
	b = append(b, b[short-len("15:04"):short]...)
	return append(b, "</time>"...)
}

// appendTwo appends n, 0 to 99, as two digits.
func appendTwo(b []byte, n int) []byte {
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

// age returns a duration as people say it, in its largest whole unit.
func age(d time.Duration) string {
	count, unit := int64(d/time.Second), "second"
	switch {
	case d >= 48*time.Hour:
		count, unit = int64(d/(24*time.Hour)), "day"
	case d >= 2*time.Hour:
		count, unit = int64(d/time.Hour), "hour"
	case d >= 2*time.Minute:
		count, unit = int64(d/time.Minute), "minute"
	}
	if count != 1 {
		unit += "s"
	}
	return strconv.FormatInt(count, 10) + " " + unit
}
