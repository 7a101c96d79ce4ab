package plugintest

import (
	"context"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

// wrongKeeper keeps properties, wrong in one way.
type wrongKeeper struct {
	*mem.Endpoint
	get func(e *mem.Endpoint, ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error)
	set func(e *mem.Endpoint, ctx context.Context, p string, set []plugins.Property, remove []xml.Name) error
}

func (w wrongKeeper) Properties(ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error) {
	if w.get == nil {
		return w.Endpoint.Properties(ctx, p, names)
	}
	return w.get(w.Endpoint, ctx, p, names)
}

func (w wrongKeeper) SetProperties(ctx context.Context, p string, set []plugins.Property, remove []xml.Name) error {
	if w.set == nil {
		return w.Endpoint.SetProperties(ctx, p, set, remove)
	}
	return w.set(w.Endpoint, ctx, p, set, remove)
}

// forgetful stores files without the properties of those in whose place they
// come.
type forgetful struct{ *mem.Endpoint }

func (f forgetful) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	e, err := f.Endpoint.Store(ctx, p, content, u)
	if err == nil {
		f.Drop(p)
		f.Put(p, mem.File{Content: strings.Repeat("x", int(e.Size)), ModTime: e.ModTime, ETag: e.ETag})
	}
	return e, err
}

// oblivious moves without them.
type oblivious struct{ *mem.Endpoint }

func (o oblivious) Move(ctx context.Context, from, to string, replace bool) error {
	all, _ := o.Properties(ctx, from, nil)
	var names []xml.Name
	for _, p := range all {
		names = append(names, p.Name)
	}
	if err := o.SetProperties(ctx, from, nil, names); err != nil {
		return err
	}
	return o.Endpoint.Move(ctx, from, to, replace)
}

// Each way to keep properties wrongly is found out.
func TestWrongKeepers(t *testing.T) {
	var names []string
	for _, c := range propertyChecks() {
		names = append(names, c.name)
	}
	for what, c := range map[string]struct {
		wrap func(*mem.Endpoint) plugins.Endpoint
		want []string // the checks that must fail, among others perhaps
	}{
		"nothing": {func(e *mem.Endpoint) plugins.Endpoint { return e }, nil},
		"keeps nothing": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, set: func(*mem.Endpoint, context.Context, string, []plugins.Property, []xml.Name) error { return nil }}
		}, names},
		"cannot remove": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, set: func(e *mem.Endpoint, ctx context.Context, p string, set []plugins.Property, _ []xml.Name) error {
				return e.SetProperties(ctx, p, set, nil)
			}}
		}, []string{"properties/kept"}},
		"does half": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, set: func(e *mem.Endpoint, ctx context.Context, p string, set []plugins.Property, remove []xml.Name) error {
				for i := range set {
					if err := e.SetProperties(ctx, p, set[i:i+1], nil); err != nil {
						return err
					}
				}
				return e.SetProperties(ctx, p, nil, remove)
			}}
		}, []string{"properties/too many"}},
		"forgets the language": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, get: func(e *mem.Endpoint, ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error) {
				all, err := e.Properties(ctx, p, names)
				for i := range all {
					all[i].Lang = ""
				}
				return all, err
			}}
		}, []string{"properties/kept"}},
		"tells of all": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, get: func(e *mem.Endpoint, ctx context.Context, p string, _ []xml.Name) ([]plugins.Property, error) {
				return e.Properties(ctx, p, nil)
			}}
		}, []string{"properties/kept"}},
		"finds what is not there": {func(e *mem.Endpoint) plugins.Endpoint {
			return wrongKeeper{Endpoint: e, get: func(e *mem.Endpoint, ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error) {
				all, err := e.Properties(ctx, p, names)
				if plugins.KindOf(err) == plugins.NotFound {
					err = nil
				}
				return all, err
			}}
		}, []string{"properties/of nothing"}},
		"forgets when storing": {func(e *mem.Endpoint) plugins.Endpoint { return forgetful{e} }, []string{"properties/stored over"}},
		"forgets when moving":  {func(e *mem.Endpoint) plugins.Endpoint { return oblivious{e} }, []string{"properties/moved"}},
	} {
		t.Run(what, func(t *testing.T) {
			got := failing(t, subject(storage(t), c.wrap), names...)
			if c.want == nil && got != nil {
				t.Errorf("%q fail", got)
			}
			for _, name := range c.want {
				if !slices.Contains(got, name) {
					t.Errorf("%q does not fail, %q do", name, got)
				}
			}
		})
	}
}
