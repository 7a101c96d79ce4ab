package marker

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
)

const block = "Perf Marker\nTimestamp: 1795269296\nStripe Index: 0\nStripe Bytes Transferred: 1048576\nTotal Stripe Count: 1\nRemoteConnections: tcp:192.0.2.7:443\nEnd\n"

var first = Marker{Time: time.Unix(1795269296, 0).UTC(), Stripes: 1, Bytes: 1 << 20, Remote: []string{"tcp:192.0.2.7:443"}}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		markers []Marker
		want    Outcome
		kind    plugins.Kind
	}{
		"XRootD": {block + "success: Created\n", []Marker{first}, Outcome{Success, "Created"}, 0},
		"dCache": {
			"Perf Marker\r\n    Timestamp: 1795269296\r\n    State: 0\r\n    State description: waiting\r\n    Stripe Index: 0\r\n    Stripe Start Time: 1\r\n" +
				"    Stripe Last Transferred: 2\r\n    Stripe Transfer Time: 3\r\n    Stripe Bytes Transferred: 7\r\n    Stripe Status: RUNNING\r\n    Total Stripe Count: 2\r\nEnd\r\nsuccess: Created\r\n",
			[]Marker{{Time: first.Time, Stripes: 2, Bytes: 7}}, Outcome{Success, "Created"}, 0,
		},
		"no markers":           {"success: Created", nil, Outcome{Success, "Created"}, 0},
		"without a message":    {"success\n", nil, Outcome{State: Success}, 0},
		"failure":              {block + "failure: Remote side failed with status code 404\n", []Marker{first}, Outcome{Failure, "Remote side failed with status code 404"}, 0},
		"failure of two lines": {"failure: <html>\n<h1>success: none</h1>\nsuccess: none\n", nil, Outcome{Failure, "<html>"}, 0},
		"aborted":              {"Aborted: by\x1b[31m \u2028operator\x00\n", nil, Outcome{Aborted, "by [31m  operator"}, 0},
		"fraction of a second": {strings.Replace(block, "296", "296.75", 1) + "success: x\n", []Marker{first}, Outcome{Success, "x"}, 0},
		"marker without bytes": {"Perf Marker\nStripe Index: 1\nEnd\nsuccess: x\n", nil, Outcome{Success, "x"}, 0},
		"marker not ended":     {"Perf Marker\nStripe Bytes Transferred: 3\nsuccess: x\n", nil, Outcome{Success, "x"}, 0},
		"absurd numbers": {
			"Perf Marker\nStripe Index: 99999999999999999999\nTotal Stripe Count: 5000\nTimestamp: -1\nStripe Bytes Transferred: 5\nStripe Bytes Transferred: -7\nEnd\nsuccess: x\n",
			[]Marker{{Bytes: 5}}, Outcome{Success, "x"}, 0,
		},
		"long lines":           {strings.Repeat("x", 3*maxLine) + "\nfailure: " + strings.Repeat("y", 3*maxLine) + "\n", nil, Outcome{Failure, strings.Repeat("y", maxMessage)}, 0},
		"nothing":              {"", nil, Outcome{}, plugins.Malformed},
		"no last line":         {block, []Marker{first}, Outcome{}, plugins.Malformed},
		"a page":               {"<html><body>success: log in</body></html>", nil, Outcome{}, plugins.Malformed},
		"another word":         {"successful: Created\n", nil, Outcome{}, plugins.Malformed},
		"more after a success": {"success: Created\nfailure: after all\n", nil, Outcome{}, plugins.Malformed},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			var markers []Marker
			got, err := Read(wrap(strings.NewReader(c.text)), func(m Marker) { markers = append(markers, m) })
			if diff := cmp.Diff(c.markers, markers); diff != "" || got != c.want || plugins.KindOf(err) != c.kind {
				t.Errorf("%s: %+v, %v; want %+v, kind %v; markers (-want +got):\n%s", name, got, err, c.want, c.kind, diff)
			}
		}
	}
}

func TestReadBroken(t *testing.T) {
	cut := errors.New("cut")
	for text, want := range map[string]Outcome{
		block:                 {},
		block + "success: Cr": {},
		block + "success":     {},
		// Here it is known how it ended.
		block + "success: Created\n": {Success, "Created"},
		"failure: no\nand":           {Failure, "no"},
	} {
		got, err := Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(cut)), nil)
		if got != want || want.State == 0 && !errors.Is(err, cut) || want.State != 0 && err != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// endless sends the same text for ever.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

func TestReadEndless(t *testing.T) {
	for _, text := range []string{block, "\n", "x"} {
		got, err := read(&io.LimitedReader{R: endless{text}, N: 1 << 20}, nil)
		if plugins.KindOf(err) != plugins.Malformed || got != (Outcome{}) || !strings.Contains(err.Error(), "64 MiB") {
			t.Errorf("%.10q: %+v, %v", text, got, err)
		}
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, first); err != nil || b.String() != block {
		t.Errorf("%v\n%s", err, &b)
	}
	b.Reset()
	err := errors.Join(
		Write(&b, Marker{Stripe: 1, Bytes: 5, Remote: []string{"tcp:h:1\nsuccess: no"}}),
		Finish(&b, Outcome{Failure, "one\nsuccess: two\r"}),
	)
	const want = "Perf Marker\nStripe Index: 1\nStripe Bytes Transferred: 5\nRemoteConnections: tcp:h:1 success: no\nEnd\nfailure: one success: two\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, &b)
	}
	if err := Write(failing{}, first); err == nil {
		t.Error("an error of the writer is lost")
	}
	if err := Finish(failing{}, Outcome{}); err == nil {
		t.Error("an error of the writer is lost")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestProgress(t *testing.T) {
	var p Progress
	for i, m := range []Marker{{Stripe: 0, Bytes: 5}, {Stripe: 1, Bytes: 7}, {Stripe: 0, Bytes: 10}, {Stripe: 1, Bytes: 7}} {
		if got, want := p.Add(m), []int64{5, 12, 17, 17}[i]; got != want {
			t.Errorf("%d: %d, want %d", i, got, want)
		}
	}
	p.Add(Marker{Stripe: 2, Bytes: 1<<62 - 1})
	p.Add(Marker{Stripe: 3, Bytes: 1<<62 - 1})
	if got := p.Add(Marker{Stripe: 4, Bytes: 1<<62 - 1}); got < 0 {
		t.Errorf("overflow: %d", got)
	}
}

// FuzzRead: whatever is read, what it says survives being written and read.
func FuzzRead(f *testing.F) {
	for _, s := range []string{block + "success: Created\n", "failure: x\ny\n", "Perf Marker\nStripe Bytes Transferred: 1\nRemoteConnections: a,b,,\xff\nEnd\naborted", "success", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		read := func(s string) (markers []Marker, o Outcome, err error) {
			o, err = Read(strings.NewReader(s), func(m Marker) { markers = append(markers, m) })
			return markers, o, err
		}
		markers, outcome, err := read(s)
		if (err == nil) != (outcome.State != 0) {
			t.Fatalf("%+v, %v", outcome, err)
		}
		if err != nil {
			return
		}
		var b bytes.Buffer
		for i, m := range markers {
			markers[i].Remote = nil // which may be cut
			if err := Write(&b, markers[i]); err != nil || m.Bytes < 0 {
				t.Fatal(m, err)
			}
		}
		if err := Finish(&b, outcome); err != nil {
			t.Fatal(err)
		}
		again, last, err := read(b.String())
		if diff := cmp.Diff(markers, again); diff != "" || last != outcome || err != nil {
			t.Fatalf("%+v then %+v, %v\n%s", outcome, last, err, diff)
		}
	})
}
