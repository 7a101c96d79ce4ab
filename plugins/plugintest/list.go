package plugintest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"canopy/plugins"
)

// crowd is the number of entries of a large directory.
const crowd = 100_000

func listChecks() []check {
	return []check{
		{name: "list/empty", needs: NoList, lack: NoEmptyDirectories, run: listEmpty},
		{name: "list/entries", needs: NoList, run: listEntries},
		{name: "list/sizes", needs: NoList, lack: NoListSizes, run: listSizes},
		{name: "list/times", needs: NoList, lack: NoListTimes, run: listTimes},
		{name: "list/root", needs: NoList, run: listRoot},
		{name: "list/order", needs: NoList, run: listOrder},
		{name: "list/absent", needs: NoList, run: listAbsent},
		{name: "list/below a file", needs: NoList, lack: NoBelowFile, run: listBelowFile},
		{name: "list/file", needs: NoList, run: listFile},
		{name: "list/stopped early", needs: NoList, run: listStoppedEarly},
		{name: "list/large", needs: NoList, lack: NoLarge, run: listLarge},
	}
}

// listing lists path and demands that it is complete and well-formed.
func (b *bench) complete(path string) (listing, error) {
	l, form := b.list(b.ctx, b.able.Lister, path)
	return l, errors.Join(form, l.err)
}

func (b *bench) listIs(path string, want ...string) error {
	l, err := b.complete(path)
	if err != nil {
		return err
	}
	return l.names().are(path, want)
}

func listEmpty(b *bench) error {
	b.seed(Node{Path: "empty", Directory: true})
	return b.listIs(b.at("empty"))
}

func family() []Node {
	return []Node{
		{Path: "b", Content: "12345"},
		{Path: "a", Content: ""},
		{Path: "c/inner", Content: "inner"},
		{Path: "c/deeper/leaf", Content: "leaf"},
	}
}

func listEntries(b *bench) error {
	b.seed(family()...)
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	var errs []error
	kinds := map[string]plugins.EntryKind{"a": plugins.File, "b": plugins.File, "c": plugins.Directory}
	if len(l.entries) != len(kinds) {
		errs = append(errs, fmt.Errorf("got %q", l.names()))
	}
	for _, e := range l.entries {
		if e.Kind != kinds[e.Name] {
			errs = append(errs, fmt.Errorf("%q: kind %v, want %v", e.Name, e.Kind, kinds[e.Name]))
		}
		if e.Name == "b" {
			errs = append(errs, digestsHold(e.Digests, "12345"))
		}
		errs = append(errs, tagIsWellFormed(e.ETag))
	}
	errs = append(errs, b.listIs(b.at("c"), "inner", "deeper"), b.listIs(b.at("c/deeper"), "leaf"))
	return errors.Join(errs...)
}

func listSizes(b *bench) error {
	b.seed(append(family(), Node{Path: "big", Content: strings.Repeat("x", 123_457)})...)
	sizes := map[string]int64{"a": 0, "b": 5, "big": 123_457}
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	_, unknown := b.s.gap(NoListSizes)
	var errs []error
	for _, e := range l.entries {
		switch want, file := sizes[e.Name]; {
		case !file && e.Size > 0:
			errs = append(errs, fmt.Errorf("the directory %q has size %d", e.Name, e.Size))
		case file && e.Size >= 0 && e.Size != want:
			// No gap excuses a wrong size: it would be taken for a divergence.
			b.t.Errorf("%q: size %d, want %d or unknown", e.Name, e.Size, want)
		case file && e.Size != want:
			errs = append(errs, fmt.Errorf("%q: size unknown, want %d", e.Name, want))
		}
	}
	if unknown && len(errs) == 0 && len(l.entries) != 4 {
		return fmt.Errorf("got %q", l.names())
	}
	return errors.Join(errs...)
}

func listTimes(b *bench) error {
	b.seed(Node{Path: "a", Content: "a"}, Node{Path: "b", Content: "b"})
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range l.entries {
		// A time to the minute is known to be no better; a wrong one is not.
		if d := seedTime().Sub(e.ModTime); !e.ModTime.IsZero() && (d < 0 || d >= time.Minute) {
			if _, excused := b.s.gap(NoTimes); !excused {
				b.t.Errorf("%q: changed at %v, want %v or unknown", e.Name, e.ModTime, seedTime())
			}
		}
		errs = append(errs, isSeedTime(e))
	}
	return errors.Join(errs...)
}

func listRoot(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	l, err := b.complete("/")
	if err != nil {
		return err
	}
	for _, e := range l.entries {
		if e.Name == "plugintest" {
			return isDirectory(e, "plugintest")
		}
	}
	return fmt.Errorf("got %q, which lacks plugintest", l.names())
}

// listOrder holds the endpoint to its claim of being ordered, if it makes it.
func listOrder(b *bench) error {
	names := []string{"B", "a", "a b", "a!", "a.", "a0", "ab", "b", "é", "z", "~", "日", "_", "-", "10", "9"}
	var nodes []Node
	for i, n := range names {
		if i%2 == 0 {
			n += "/inner"
		}
		nodes = append(nodes, Node{Path: n, Content: "x"})
	}
	b.seed(nodes...)
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	if got := len(l.entries); got != len(names) {
		return fmt.Errorf("%d entries, want %d", got, len(names))
	}
	if b.able.Ordered {
		return b.inOrder(l)
	}
	return nil
}

// listFails demands a listing of nothing but an error of one of the kinds.
func (b *bench) listFails(path string, kinds ...plugins.Kind) error {
	l, form := b.list(b.ctx, b.able.Lister, path)
	if form == nil && len(l.entries) > 0 {
		form = fmt.Errorf("%s: got %q", path, l.names())
	}
	return errors.Join(form, b.fails("list "+path, l.err, kinds...))
}

func listAbsent(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return errors.Join(b.listFails(b.at("absent"), plugins.NotFound), b.listFails(b.at("absent/deep"), plugins.NotFound))
}

func listBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return b.listFails(b.at("file/below"), plugins.NotFound)
}

func listFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"}, Node{Path: "empty"})
	return errors.Join(b.listFails(b.at("file"), plugins.NotDirectory), b.listFails(b.at("empty"), plugins.NotDirectory))
}

func numbered(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{Path: fmt.Sprintf("entry-%06d", i)}
	}
	return nodes
}

// listStoppedEarly leaves listings after 0, 1 and 5 entries; the endpoint must
// go on working.
func listStoppedEarly(b *bench) error {
	const n = 50
	b.seed(numbered(n)...)
	for _, stop := range []int{1, 5, n} {
		seen := 0
		for _, err := range b.able.Lister.List(b.ctx, b.dir) {
			if err != nil {
				return err
			}
			if seen++; seen == stop {
				break
			}
		}
		if seen != stop {
			return fmt.Errorf("%d entries, want %d", seen, stop)
		}
	}
	// A listing that nobody reads must cost nothing and leave nothing.
	_ = b.able.Lister.List(b.ctx, b.dir)
	l, err := b.complete(b.dir)
	if err == nil && len(l.entries) != n {
		err = fmt.Errorf("%d entries afterwards, want %d", len(l.entries), n)
	}
	return err
}

func listLarge(b *bench) error {
	b.seed(numbered(crowd)...)
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	if len(l.entries) != crowd {
		return fmt.Errorf("%d entries, want %d", len(l.entries), crowd)
	}
	for i, name := range l.names() {
		if want := fmt.Sprintf("entry-%06d", i); name != want {
			return fmt.Errorf("entry %d is %q, want %q", i, name, want)
		}
	}
	return nil
}
