package faults_test

import (
	"encoding/xml"
	"testing"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func TestProperties(t *testing.T) {
	e := faults.New(mem.New("http://storage", map[string]string{"/f": "x"}))
	p := plugins.Property{Name: xml.Name{Local: "a"}, Value: "v"}
	has := func() int {
		t.Helper()
		found, err := e.Properties(t.Context(), "/f", nil)
		if err != nil {
			t.Error(err)
		}
		return len(found)
	}
	e.Inject(faults.Rule{Op: "proppatch", Fail: plugins.Full, Times: 1})
	if err := e.SetProperties(t.Context(), "/f", []plugins.Property{p}, nil); plugins.KindOf(err) != plugins.Full || has() != 0 {
		t.Error(err, has())
	}
	e.Inject(faults.Rule{Op: "proppatch", Fail: plugins.Timeout, Done: true, Times: 1})
	if err := e.SetProperties(t.Context(), "/f", []plugins.Property{p}, nil); plugins.KindOf(err) != plugins.Timeout || has() != 1 {
		t.Error(err, has())
	}
	if err := e.SetProperties(t.Context(), "/f", nil, []xml.Name{p.Name}); err != nil || has() != 0 {
		t.Error(err, has())
	}
	e.Inject(faults.Rule{Op: "properties", Fail: plugins.Faulty})
	if _, err := e.Properties(t.Context(), "/f", nil); plugins.KindOf(err) != plugins.Faulty {
		t.Error(err)
	}
	if e.Calls("properties") != 4 || e.Calls("proppatch") != 3 {
		t.Error(e.Asked())
	}
	if able := faults.New(e, "properties").Abilities(); able.Keeper != nil {
		t.Error("the ability was not taken away")
	}
}
