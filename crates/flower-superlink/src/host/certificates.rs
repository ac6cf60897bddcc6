//! The client certificates of nodes that have joined, for the ports that take them.

use flwr_daemon::listen::IssuedCertificates;
use flwr_security::tls::Issued;

use super::Host;

impl IssuedCertificates for Host {
    fn objection(&self, issued: &Issued) -> Option<String> {
        let is_in_force = self.link().is_in_force(issued);
        (!is_in_force).then(|| {
            "its SuperNode was unregistered (`flwr supernode unregister`), or has another key"
                .to_owned()
        })
    }
}
