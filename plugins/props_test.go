package plugins_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
)

func property(local, value string) plugins.Property {
	return plugins.Property{Name: xml.Name{Space: "urn:u", Local: local}, Value: value}
}

func TestAmendProperties(t *testing.T) {
	old := []plugins.Property{property("a", "1"), property("b", "2"), property("c", "3")}
	got, ok := plugins.AmendProperties(old, []plugins.Property{property("b", "4"), property("d", "5")}, []xml.Name{property("a", "").Name, property("none", "").Name})
	want := []plugins.Property{property("c", "3"), property("b", "4"), property("d", "5")}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Error(ok, diff)
	}
	var many []plugins.Property
	for i := range plugins.MaxProperties {
		many = append(many, property(fmt.Sprint("p", i), ""))
	}
	if _, ok := plugins.AmendProperties(nil, many, nil); !ok {
		t.Error("as many as there may be are too many")
	}
	if _, ok := plugins.AmendProperties(many, old, nil); ok {
		t.Error("there are too many")
	}
	long := property("long", strings.Repeat("x", plugins.MaxPropertyBytes))
	if _, ok := plugins.AmendProperties(nil, []plugins.Property{long}, nil); ok {
		t.Error("they are too long")
	}
	// Whoever has too much already can make it less.
	if got, ok := plugins.AmendProperties([]plugins.Property{long, old[0]}, nil, []xml.Name{old[0].Name}); !ok || len(got) != 1 {
		t.Error(ok, len(got))
	}
}

func TestChooseProperties(t *testing.T) {
	all := []plugins.Property{property("a", "1"), property("b", "2")}
	if diff := cmp.Diff(all, plugins.ChooseProperties(all, nil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(all[1:], plugins.ChooseProperties(all, []xml.Name{all[1].Name, {Local: "none"}})); diff != "" {
		t.Error(diff)
	}
	if got := plugins.ChooseProperties(all, []xml.Name{}); len(got) != 0 {
		t.Error(got)
	}
}

// keeper keeps the properties of one path, or fails.
type keeper struct {
	all  []plugins.Property
	fail plugins.Kind
	set  int
}

func (k *keeper) Properties(_ context.Context, path string, names []xml.Name) ([]plugins.Property, error) {
	if k.fail != 0 {
		return nil, &plugins.Error{Kind: k.fail, Op: "properties", Path: path}
	}
	return plugins.ChooseProperties(k.all, names), nil
}

func (k *keeper) SetProperties(_ context.Context, _ string, set []plugins.Property, remove []xml.Name) error {
	k.set++
	k.all, _ = plugins.AmendProperties(k.all, set, remove)
	return nil
}

func TestCopyProperties(t *testing.T) {
	some := []plugins.Property{property("a", "1"), property("b", "2")}
	other := []plugins.Property{property("b", "3"), property("c", "4")}
	for _, c := range []struct {
		name   string
		source keeper
		target keeper
		want   []plugins.Property
		kind   plugins.Kind
		set    int
	}{
		{"over others", keeper{all: some}, keeper{all: other}, some, 0, 1},
		{"none to none", keeper{}, keeper{}, nil, 0, 0},
		{"none over others", keeper{}, keeper{all: other}, nil, 0, 1},
		{"from one that keeps none", keeper{fail: plugins.Unsupported}, keeper{all: other}, nil, 0, 1},
		{"to one that keeps none", keeper{all: some}, keeper{fail: plugins.Unsupported}, nil, plugins.Unsupported, 0},
		{"between those", keeper{fail: plugins.Unsupported}, keeper{fail: plugins.Unsupported}, nil, 0, 0},
		{"from one that is down", keeper{fail: plugins.Timeout}, keeper{all: other}, other, plugins.Timeout, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := plugins.CopyProperties(t.Context(), &c.source, "/from", &c.target, "/to")
			if plugins.KindOf(err) != c.kind || c.target.set != c.set {
				t.Errorf("%v, set %d times", err, c.target.set)
			}
			if diff := cmp.Diff(c.want, c.target.all); diff != "" {
				t.Error(diff)
			}
		})
	}
}
