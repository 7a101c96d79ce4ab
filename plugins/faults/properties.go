package faults

import (
	"context"
	"encoding/xml"

	"canopy/plugins"
)

// Properties implements plugins.Keeper.
func (e *Endpoint) Properties(ctx context.Context, path string, names []xml.Name) ([]plugins.Property, error) {
	if err := e.trouble(ctx, "properties", path); err != nil {
		return nil, err
	}
	return e.able.Keeper.Properties(ctx, path, names)
}

// SetProperties implements plugins.Keeper.
func (e *Endpoint) SetProperties(ctx context.Context, path string, set []plugins.Property, remove []xml.Name) error {
	return e.begin("proppatch", path).around(ctx, "proppatch", path, false, func() error {
		return e.able.Keeper.SetProperties(ctx, path, set, remove)
	})
}
