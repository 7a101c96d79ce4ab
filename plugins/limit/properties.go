package limit

import (
	"context"
	"encoding/xml"

	"canopy/plugins"
)

type keeper struct{ *Endpoint }

func (k keeper) Properties(ctx context.Context, path string, names []xml.Name) (found []plugins.Property, err error) {
	err = k.ask(ctx, "properties", path, func(ctx context.Context) error {
		found, err = k.can.Keeper.Properties(ctx, path, names)
		return err
	})
	return found, err
}

func (k keeper) SetProperties(ctx context.Context, path string, set []plugins.Property, remove []xml.Name) error {
	return k.ask(ctx, "proppatch", path, func(ctx context.Context) error {
		return k.can.Keeper.SetProperties(ctx, path, set, remove)
	})
}
