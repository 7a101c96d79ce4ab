package redis

import (
	"fmt"
	"testing"

	"canopy/plugins/plugintest/rig"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	c, err := NewClient(Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, other := NewLedger(c, "one"), NewLedger(c, "another")
	if all, err := l.All(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("at first it holds %v, %v", all, err)
	}
	const many = 3 * ledgerPage
	for i := range many {
		if err := l.Put(t.Context(), fmt.Sprintf("/d/\xff\x00%d", i), []byte{byte(i), 0, 0xff}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range many {
		if i%3 != 0 {
			if err := l.Delete(t.Context(), fmt.Sprintf("/d/\xff\x00%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Put(t.Context(), "/d/\xff\x000", []byte("other")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"/d/\xff\x000": true, "/d/\xff\x001": false} {
		if has, err := l.Has(t.Context(), key); err != nil || has != want {
			t.Errorf("it has %q: %v, %v", key, has, err)
		}
	}
	all, err := l.All(t.Context())
	if err != nil || len(all) != many/3 || string(all["/d/\xff\x000"]) != "other" || string(all["/d/\xff\x003"]) != "\x03\x00\xff" {
		t.Errorf("it holds %d values, %q, %v", len(all), all["/d/\xff\x000"], err)
	}
	if all, err := other.All(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("another one holds %d, %v", len(all), err)
	}
	s.Stop()
	if err := l.Put(t.Context(), "k", nil); err == nil {
		t.Error("it is kept by a server that is not there")
	}
	if _, err := l.All(t.Context()); err == nil {
		t.Error("a server that is not there holds nothing")
	}
}
