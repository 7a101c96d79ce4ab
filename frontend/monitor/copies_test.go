package monitor

import (
	"strings"
	"testing"

	"canopy/federator/copies"
)

type waiting copies.Figures

func (w waiting) Figures() copies.Figures { return copies.Figures(w) }

func TestCopies(t *testing.T) {
	m := New(Build{})
	if strings.Contains(scrape(t, m, true), "canopy_copies") {
		t.Error("there are figures of nobody")
	}
	m.ShowCopies(waiting{Waiting: 3, Made: 2, Failed: 1})
	text := scrape(t, m, false)
	for _, want := range []string{"canopy_copies_wanted 3\n", "canopy_copies_made_total 2\n", "canopy_copies_failed_total 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in %s", want, text)
		}
	}
}
