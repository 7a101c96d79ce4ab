package configs

import (
	"net/netip"

	"canopy/configs/scalar"
)

// Geo is where clients and endpoints are.
type Geo struct {
	// GeoIP city database in MaxMind's format, for places that no site
	// covers. It is read anew when it changes.
	//
	// Example: GeoLite2-City.mmdb
	Database string `yaml:"database" config:"file"`
	// Distances to two replicas that differ by less than this count as equal,
	// so that the next criterion decides.
	Fuzz scalar.Distance `yaml:"fuzz"`
	// Places known better than any database knows them.
	Sites []Site `yaml:"sites"`
}

// Site is a named place.
type Site struct {
	// The name by which endpoints refer to the site.
	//
	// Example: GENEVA
	Name string `yaml:"name" config:"required"`
	// Latitude and longitude in degrees, north and east being positive.
	//
	// Example: [46.2, 6.1]
	Location *Location `yaml:"location"`
	// The networks of the site. A client whose address is in one of them is
	// there; if in several, the narrowest counts.
	//
	// Example: [10.1.0.0/16, "2001:db8:1::/48"]
	Networks []netip.Prefix `yaml:"networks"`
}

// Location is a latitude and a longitude in degrees.
type Location [2]float64
