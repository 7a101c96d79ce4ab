package marker

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"canopy/plugins"
)

const (
	// maxLine bounds what is kept of a line; the rest is passed over.
	maxLine = 4 << 10
	// maxTotal bounds the whole answer: markers of 16 streams every 5 s for
	// more than a day.
	maxTotal = 64 << 20
	// maxRemote bounds the connections of one marker.
	maxRemote = 64
	// maxStripes bounds the streams of a copy.
	maxStripes = 1 << 10
)

// Read reads an answer to its end, calls progress, unless nil, for each marker
// as it arrives, and returns how the copy ended. What it does not know is passed
// over.
//
// An answer without a last line, one that goes on after it said success, or of
// more than 64 MiB is a *plugins.Error of Kind Malformed. An error of r is
// returned as it is, unless the last line was there before it.
func Read(r io.Reader, progress func(Marker)) (Outcome, error) {
	return read(&io.LimitedReader{R: r, N: maxTotal}, progress)
}

func read(limited *io.LimitedReader, progress func(Marker)) (Outcome, error) {
	s := scanner{lines: bufio.NewReaderSize(limited, maxLine), progress: progress}
	for {
		line, whole, err := s.line()
		if whole || err == io.EOF {
			s.take(line)
		}
		switch {
		case s.excess:
			return Outcome{}, malformed("the answer goes on after it said success")
		case err == nil:
		case s.outcome.State != 0:
			return s.outcome, nil
		case limited.N <= 0:
			return Outcome{}, malformed("the answer is longer than 64 MiB")
		case err != io.EOF:
			return Outcome{}, err
		default:
			return Outcome{}, malformed("the answer ends without saying whether the copy succeeded")
		}
	}
}

func malformed(problem string) error {
	return &plugins.Error{Kind: plugins.Malformed, Err: errors.New("performance markers: " + problem)}
}

type scanner struct {
	lines    *bufio.Reader
	progress func(Marker)
	outcome  Outcome
	// excess is whether something came after a success.
	excess bool
	// open is whether a block is being read, counted whether it had its bytes.
	open, counted bool
	marker        Marker
}

// line returns the next line without its end, cut off after maxLine bytes;
// whole is whether its end was seen.
func (s *scanner) line() (line string, whole bool, err error) {
	part, err := s.lines.ReadSlice('\n')
	line = string(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = s.lines.ReadSlice('\n')
	}
	return strings.TrimSpace(line), err == nil, err
}

// take judges one line.
func (s *scanner) take(line string) {
	if line == "" {
		return
	}
	if s.outcome.State != 0 {
		// A reason may have several lines, a success has none.
		s.excess = s.outcome.State == Success
		return
	}
	if state, message, ok := verdict(line); ok {
		s.outcome = Outcome{State: state, Message: clean(message)}
		return
	}
	switch {
	case strings.EqualFold(line, "Perf Marker"):
		s.open, s.counted, s.marker = true, false, Marker{}
	case !s.open:
	case strings.EqualFold(line, "End"):
		s.open = false
		if s.counted && s.progress != nil {
			s.progress(s.marker)
		}
	default:
		s.field(line)
	}
}

// verdict reads a last line.
func verdict(line string) (state State, message string, ok bool) {
	word, message, _ := strings.Cut(line, ":")
	i := slices.IndexFunc(words[:], func(w string) bool { return w != "" && strings.EqualFold(w, strings.TrimSpace(word)) })
	return State(max(i, 0)), message, i > 0
}

// field reads a line of a block.
func (s *scanner) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "timestamp":
		// Some write a fraction.
		seconds, _, _ := strings.Cut(value, ".")
		if n, err := strconv.ParseUint(seconds, 10, 40); err == nil && n > 0 {
			s.marker.Time = time.Unix(int64(n), 0).UTC()
		}
	case "stripe index":
		s.marker.Stripe = stripes(value)
	case "total stripe count":
		s.marker.Stripes = stripes(value)
	case "stripe bytes transferred":
		if n, err := strconv.ParseUint(value, 10, 62); err == nil {
			s.marker.Bytes, s.counted = int64(n), true
		}
	case "remoteconnections":
		for c := range strings.SplitSeq(value, ",") {
			if c = clean(c); c != "" && len(s.marker.Remote) < maxRemote {
				s.marker.Remote = append(s.marker.Remote, c)
			}
		}
	}
}

// stripes reads a number of streams; what is none counts as 0.
func stripes(value string) int {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n > maxStripes {
		return 0
	}
	return int(n)
}

// Progress adds up the markers of a copy.
type Progress struct{ stripes map[int]int64 }

// Add takes a marker into account and returns how many bytes all streams have
// copied, as far as they said.
func (p *Progress) Add(m Marker) (total int64) {
	if p.stripes == nil {
		p.stripes = make(map[int]int64)
	}
	p.stripes[m.Stripe] = m.Bytes
	for _, n := range p.stripes {
		if total += n; total < 0 {
			return 0
		}
	}
	return total
}
