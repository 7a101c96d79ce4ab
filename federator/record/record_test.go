package record_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"canopy/federator/record"
	"canopy/plugins"
)

// now is later than all that is learned in these tests.
const now = math.MaxInt64 / 2

func file(id record.ID, size int64, modified int64, sums ...string) record.Replica {
	r := record.Replica{Endpoint: id, Kind: plugins.File, Size: size, ModTime: modified, Learned: 1}
	for _, s := range sums {
		if r.Extra == nil {
			r.Extra = &record.Extra{}
		}
		r.Extra.Digests = append(r.Extra.Digests, plugins.Digest{Algorithm: s[:len(s)-1], Sum: s[len(s)-1:]})
	}
	return r
}

func directory(id record.ID) record.Replica {
	return record.Replica{Endpoint: id, Kind: plugins.Directory, Learned: 1}
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		name     string
		replicas []record.Replica
		agreed   []record.ID
	}{
		{"nobody", nil, nil},
		{"one", []record.Replica{file(1, 5, 0)}, []record.ID{1}},
		{"same size", []record.Replica{file(1, 5, 0), file(2, 5, 9)}, []record.ID{1, 2}},
		{"most copies", []record.Replica{file(1, 5, 9), file(2, 6, 0), file(3, 6, 0)}, []record.ID{2, 3}},
		{"then the newest", []record.Replica{file(1, 5, 1), file(2, 6, 2)}, []record.ID{2}},
		{"then the larger", []record.Replica{file(1, 5, 1), file(2, 6, 1)}, []record.ID{2}},
		{"checksums differ", []record.Replica{file(1, 5, 1, "md5a"), file(2, 5, 2, "md5b"), file(3, 5, 1, "md5a")}, []record.ID{1, 3}},
		{"checksums of other kinds do not", []record.Replica{file(1, 5, 1, "md5a"), file(2, 5, 2, "shab")}, []record.ID{1, 2}},
		{"without one it joins the only content", []record.Replica{file(1, 5, 1, "md5a"), file(2, 5, 2)}, []record.ID{1, 2}},
		{"of two contents nobody knows which", []record.Replica{file(1, 5, 1, "md5a"), file(2, 5, 2, "md5b"), file(3, 5, 3)}, []record.ID{3}},
		{"unknown sizes agree with nothing", []record.Replica{file(1, -1, 1), file(2, -1, 2), file(3, 5, 0), file(4, 5, 0)}, []record.ID{3, 4}},
		{"a directory on a tie", []record.Replica{file(1, 5, 1), directory(2)}, []record.ID{2}},
		{"directories agree", []record.Replica{directory(1), directory(2), file(3, 1, 1)}, []record.ID{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 10 {
				replicas := slices.Clone(c.replicas)
				rand.Shuffle(len(replicas), func(i, j int) { replicas[i], replicas[j] = replicas[j], replicas[i] })
				f := record.Agree(replicas)
				var agreed []record.ID
				for _, r := range f.Replicas[:f.Agreed] {
					agreed = append(agreed, r.Endpoint)
				}
				slices.Sort(agreed)
				if !slices.Equal(agreed, c.agreed) || len(f.Replicas) != len(c.replicas) {
					t.Fatalf("agreed %v of %d, want %v", agreed, len(f.Replicas), c.agreed)
				}
			}
		})
	}
}

func replicas(t *rapid.T) []record.Replica {
	holders := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 9), 1, 6, rapid.ID).Draw(t, "endpoints")
	all := make([]record.Replica, len(holders))
	for i := range all {
		r := &all[i]
		r.Endpoint = record.ID(holders[i])
		r.Kind = plugins.File
		if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			r.Kind = plugins.Directory
		} else {
			r.Size = rapid.SampledFrom([]int64{-1, 0, 5, 1 << 40}).Draw(t, "size")
		}
		r.ModTime = rapid.Int64Range(0, 5).Draw(t, "modified")
		r.Learned = rapid.Int64Range(0, 1e18).Draw(t, "learned")
		r.Via = rapid.Byte().Draw(t, "via")
		if rapid.IntRange(0, 2).Draw(t, "extra") == 0 {
			r.Extra = &record.Extra{Digests: []plugins.Digest{{Algorithm: "md5", Sum: rapid.StringN(1, 8, 16).Draw(t, "sum")}}}
			if rapid.Bool().Draw(t, "copies") {
				r.Extra.Copies = []plugins.Copy{{URL: "https://example.org/x", Priority: 3, Country: "ch"}}
			}
		}
	}
	return all
}

var asIs = cmp.Options{cmpopts.IgnoreFields(record.Record{}, "Checked"), cmp.AllowUnexported(record.Coverage{}), cmpopts.EquateEmpty()}

func TestRecordSurvivesItsEncoding(t *testing.T) {
	var sets record.Coverages
	rapid.Check(t, func(t *rapid.T) {
		r := &record.Record{Asked: rapid.Bool().Draw(t, "asked")}
		if rapid.IntRange(0, 9).Draw(t, "absent") > 0 {
			r.Facts = record.Agree(replicas(t))
		}
		r.Coverage = sets.Of(rapid.SliceOf(rapid.Custom(func(t *rapid.T) record.ID { return record.ID(rapid.Uint64().Draw(t, "id")) })).Draw(t, "coverage"))
		learned := rapid.Int64Range(0, now).Draw(t, "learned")
		got, at, err := record.ParseRecord(record.AppendRecord(nil, r, learned), &sets, now)
		if err != nil || at != learned {
			t.Fatalf("%v, learned %d, not %d", err, at, learned)
		}
		if d := cmp.Diff(r, got, asIs); d != "" {
			t.Fatal(d)
		}
	})
}

func listingOf(names []string, make_ func(i int) []record.Replica) *record.Listing {
	l := &record.Listing{Learned: 12345, Exists: true}
	chunk := []record.Child{}
	for i, n := range names {
		chunk = append(chunk, record.Child{Name: n, Facts: record.Agree(make_(i))})
		if len(chunk) == 3 {
			l.Append(chunk)
			chunk = nil
		}
	}
	l.Append(chunk)
	return l
}

// TestPacking: what comes out is what went in, silences and all.
func TestPacking(t *testing.T) {
	var sets record.Coverages
	p := record.Packer{Sets: &sets}
	rapid.Check(t, func(t *rapid.T) {
		r := &record.Record{Asked: rapid.Bool().Draw(t, "asked")}
		if rapid.Bool().Draw(t, "exists") {
			r.Facts = record.Agree(replicas(t))
		}
		r.Coverage = sets.Of(rapid.SliceOf(rapid.Custom(func(t *rapid.T) record.ID { return record.ID(rapid.Uint64().Draw(t, "id")) })).Draw(t, "coverage"))
		for range rapid.IntRange(0, 3).Draw(t, "silences") {
			r.Silences = append(r.Silences, record.Silence{
				Endpoint: record.ID(rapid.Uint64().Draw(t, "silent")), Kind: plugins.Kind(rapid.Byte().Draw(t, "kind")),
				Until: rapid.Int64().Draw(t, "until"), Recovery: rapid.Uint32().Draw(t, "recovery"),
			})
		}
		before := []byte("before")
		b, ok := p.Pack(before, r)
		if !ok || string(b[:len(before)]) != string(before) {
			t.Fatalf("packed: %q %v", b, ok)
		}
		got, ok := p.Unpack(b[len(before):])
		if !ok {
			t.Fatal("cannot be unpacked")
		}
		if d := cmp.Diff(r, got, asIs); d != "" {
			t.Fatal(d)
		}
		if _, ok := p.Unpack(b[len(before) : len(b)-1]); ok {
			t.Fatal("half of it was unpacked")
		}
	})
}

func TestListingSurvivesItsEncoding(t *testing.T) {
	var sets record.Coverages
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[^/\x00]{1,9}`), 0, 20, rapid.ID).Draw(t, "names")
		names = slices.DeleteFunc(names, func(n string) bool { return n == "." || n == ".." })
		slices.Sort(names)
		l := listingOf(names, func(int) []record.Replica { return replicas(t) })
		l.Coverage = sets.Of([]record.ID{4, 2})
		got, err := record.ParseListing(record.AppendListing(nil, l), &sets, now)
		if err != nil {
			t.Fatal(err)
		}
		if got.Len() != len(names) || got.Exists != l.Exists || got.Learned != l.Learned || got.Coverage != l.Coverage {
			t.Fatalf("%d names, %v", got.Len(), got)
		}
		i := 0
		for c := range got.Children() {
			if d := cmp.Diff(l.Find(names[i]), c); d != "" || c.Name != names[i] {
				t.Fatalf("%s: %s", c.Name, d)
			}
			i++
		}
	})
}

func TestFind(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint("n", i*2))
	}
	slices.Sort(names)
	l := listingOf(names, func(i int) []record.Replica { return []record.Replica{file(1, int64(i), 0)} })
	for i, n := range names {
		if c := l.Find(n); c == nil || c.Size() != int64(i) {
			t.Errorf("%s is not found", n)
		}
	}
	for _, n := range []string{"", "a", "n1", "n3", "n99", "z"} {
		if l.Find(n) != nil {
			t.Errorf("%q is found", n)
		}
	}
	if (&record.Listing{}).Find("x") != nil {
		t.Error("something is in nothing")
	}
}

func TestListingIsCorrected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[string]int64)
		l := &record.Listing{Exists: true}
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			name := rapid.StringMatching(`[a-k]`).Draw(t, "name")
			size := rapid.Int64Range(0, 3).Draw(t, "size")
			var facts record.Facts
			if delete(want, name); size > 0 {
				want[name] = size
				facts = record.Agree([]record.Replica{file(record.ID(size), size, 0)})
			}
			before := l.Len()
			next := l.With(name, facts)
			if l.Len() != before {
				t.Fatal("the listing that others read is changed")
			}
			l = next
			if l.Len() != len(want) || len(want) == 0 && l.Bytes() != 128 {
				t.Fatalf("%d children in %d bytes, want %d", l.Len(), l.Bytes(), len(want))
			}
			last := ""
			for c := range l.Children() {
				if c.Name <= last || c.Size() != want[c.Name] || !slices.Contains(l.Holders(), c.Replicas[0].Endpoint) {
					t.Fatalf("%q of size %d after %q", c.Name, c.Size(), last)
				}
				last = c.Name
			}
			for name, size := range want {
				if c := l.Find(name); c == nil || c.Size() != size {
					t.Fatalf("%q is not found", name)
				}
			}
		}
		only := l.Only(func(id record.ID) bool { return id != 2 })
		for c := range only.Children() {
			if c.Size() == 2 {
				t.Fatal("a replica is kept that should not")
			}
		}
		if slices.Contains(only.Holders(), 2) {
			t.Fatal("who holds nothing any more is a holder")
		}
	})
}

func TestWhatEndpointsClaimIsBounded(t *testing.T) {
	e := plugins.Entry{Kind: plugins.File, Size: 1}
	for i := range 1000 {
		e.Digests = append(e.Digests, plugins.Digest{Algorithm: "md5", Sum: "sum"}, plugins.Digest{Algorithm: "M D\n5", Sum: "x"})
		e.Copies = append(e.Copies, plugins.Copy{URL: fmt.Sprintf("https://h%d.example/f", i), Priority: -i, Country: "nowhere"},
			plugins.Copy{URL: "https://user:secret@example.org/f"}, plugins.Copy{URL: "javascript:alert(1)"})
	}
	r := record.Of(1, 0, &e, 1)
	if len(r.Extra.Digests) > 64 || len(r.Extra.Copies) > 64 {
		t.Errorf("%d digests, %d copies", len(r.Extra.Digests), len(r.Extra.Copies))
	}
	var sets record.Coverages
	whole := &record.Record{Facts: record.Agree([]record.Replica{r})}
	if _, _, err := record.ParseRecord(record.AppendRecord(nil, whole, 1), &sets, now); err != nil {
		t.Errorf("what an endpoint claims cannot be shared: %v", err)
	}
	for _, c := range r.Extra.Copies {
		if !strings.HasPrefix(c.URL, "https://h") || c.Country != "" {
			t.Errorf("%+v is passed on", c)
		}
	}
}

func TestAClockAheadIsNotBelieved(t *testing.T) {
	var sets record.Coverages
	r := &record.Record{Facts: record.Agree([]record.Replica{{Endpoint: 1, Kind: plugins.File, Learned: 2500}})}
	got, learned, err := record.ParseRecord(record.AppendRecord(nil, r, 3000), &sets, 1000)
	if err != nil || learned != 1000 || got.Confirmed() != 500 {
		t.Errorf("learned %d, confirmed %d, %v", learned, got.Confirmed(), err)
	}
}

func TestCoverage(t *testing.T) {
	var sets record.Coverages
	a, b := sets.Of([]record.ID{3, 1, 3}), sets.Of([]record.ID{1, 3})
	if a != b || !a.Has(1) || !a.Has(3) || a.Has(2) || len(a.IDs()) != 2 {
		t.Errorf("%v and %v", a.IDs(), b.IDs())
	}
	if none := sets.Of(nil); none.Has(0) || len(none.IDs()) != 0 {
		t.Error("nobody answers")
	}
}

func TestModTimeIsTheNewestAgreed(t *testing.T) {
	f := record.Agree([]record.Replica{file(1, 5, 100), file(2, 5, 300), file(3, 6, 900)})
	if got := f.ModTime(); !got.Equal(time.Unix(0, 300)) {
		t.Error(got)
	}
}

func FuzzParseRecord(f *testing.F) {
	var sets record.Coverages
	r := &record.Record{Facts: record.Agree([]record.Replica{file(1, 5, 1, "md5a"), directory(2)}), Coverage: sets.Of([]record.ID{1, 2, 3})}
	f.Add(record.AppendRecord(nil, r, 99))
	f.Fuzz(func(t *testing.T, b []byte) {
		var sets record.Coverages
		r, learned, err := record.ParseRecord(b, &sets, now)
		if err != nil {
			return
		}
		again, at, err := record.ParseRecord(record.AppendRecord(nil, r, learned), &sets, now)
		if err != nil || at != learned {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, again, asIs); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzParseListing(f *testing.F) {
	l := listingOf([]string{"a", "b", "c", "d"}, func(i int) []record.Replica { return []record.Replica{file(1, int64(i), 7)} })
	f.Add(record.AppendListing(nil, l))
	f.Fuzz(func(t *testing.T, b []byte) {
		var sets record.Coverages
		l, err := record.ParseListing(b, &sets, now)
		if err != nil {
			return
		}
		once := record.AppendListing(nil, l)
		again, err := record.ParseListing(once, &sets, now)
		if err != nil {
			t.Fatal(err)
		}
		if twice := record.AppendListing(nil, again); !bytes.Equal(once, twice) {
			t.Fatal("two forms of one listing")
		}
	})
}
