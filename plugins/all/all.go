// Package all lists the endpoint types that Canopy has.
package all

import (
	"canopy/plugins"
	"canopy/plugins/dav"
	"canopy/plugins/http"
	"canopy/plugins/local"
)

// Registry returns a registry of all endpoint types.
func Registry() *plugins.Registry {
	return plugins.NewRegistry(
		dav.Type(),
		http.Type(),
		local.Type(),
	)
}
