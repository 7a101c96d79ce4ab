package mem

import (
	"context"
	"encoding/xml"
	"path"
	"slices"

	"canopy/plugins"
)

// Properties implements plugins.Keeper.
func (e *Endpoint) Properties(ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error) {
	n, err := e.ask(ctx, "properties", p)
	if err != nil {
		return nil, err
	}
	return slices.Clone(plugins.ChooseProperties(n.properties, names)), nil
}

// SetProperties implements plugins.Keeper.
func (e *Endpoint) SetProperties(ctx context.Context, p string, set []plugins.Property, remove []xml.Name) error {
	if err := ctx.Err(); err != nil {
		return plugins.Fail("proppatch", p, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.find(p)
	if n == nil {
		return failure("proppatch", p, plugins.NotFound)
	}
	amended, ok := plugins.AmendProperties(n.properties, set, remove)
	if !ok {
		return failure("proppatch", p, plugins.Full)
	}
	// Another node, because those who read or list the old one must not see it
	// change.
	changed := *n
	changed.properties = amended
	if n == e.root {
		e.root = &changed
		return nil
	}
	e.find(path.Dir(p)).set(&changed)
	return nil
}
