//! ProFTPD, standalone in the foreground, chrooted users, with mod_copy's and mod_site_misc's verbs
//! left out as Debian's default has them out.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Launch, RequireTls, Setup, config, peer};
use crate::Scratch;

pub(super) fn launch(setup: &Setup, scratch: &Scratch, root: &Path, address: SocketAddr) -> Launch {
    let dir = scratch.path().display();
    let ip = address.ip();
    let mut text = format!(
        "ServerName acceptance\nServerType standalone\nDefaultServer on\nDefaultAddress {ip}\n\
         Port {}\nUseIPv6 {}\nModulePath {}\nUser nobody\nGroup nogroup\nUmask 022\n\
         MaxInstances none\nAuthOrder mod_auth_unix.c\nAuthPAM off\nRequireValidShell off\n\
         UseReverseDNS off\nDefaultRoot ~\nAllowOverwrite on\nAllowStoreRestart on\n\
         AllowRetrieveRestart on\nDelayEngine off\nWtmpLog off\nTransferLog none\nSystemLog none\n\
         ScoreboardFile {dir}/scoreboard\nPidFile {dir}/pid\nTimesGMT on\n\
         <IfModule mod_ctrls.c>\nControlsEngine off\nControlsSocket {dir}/ctrl.sock\n</IfModule>\n",
        address.port(),
        if ip.is_ipv6() { "on" } else { "off" },
        peer("proftpd-core/usr/lib/proftpd").display(),
    );
    if setup.read_only {
        text += "<Limit WRITE>\nDenyAll\n</Limit>\n";
    }
    if setup.anonymous {
        text += &format!(
            "<Anonymous {}>\nUser ftp\nGroup nogroup\nUserAlias anonymous ftp\nRequireValidShell off\n\
             <Limit WRITE>\nDenyAll\n</Limit>\n</Anonymous>\n",
            root.display()
        );
    }
    if let Some((low, high)) = setup.passive_ports {
        text += &format!("PassivePorts {low} {high}\n");
    }
    if let Some(tls) = &setup.tls {
        let certificates = scratch.path().join("tls");
        let certificates = certificates.display();
        let required = match tls.require {
            RequireTls::No => "off",
            RequireTls::Login => "ctrl",
            RequireTls::Data => "data",
            RequireTls::Both => "on",
        };
        // The path holds until the next one: mod_tls lies beside the core's own modules.
        text += &format!(
            "ModulePath {}\nLoadModule mod_tls.c\nTLSEngine on\nTLSProtocol TLSv1.2 TLSv1.3\n\
             TLSECCertificateFile {certificates}/server.pem\n\
             TLSECCertificateKeyFile {certificates}/server.key\nTLSRequired {required}\n\
             TLSTimeoutHandshake 15\nTLSLog none\n",
            peer("proftpd-mod-crypto/usr/lib/proftpd").display(),
        );
        if !tls.reuse {
            text += "TLSOptions NoSessionReuseRequired\n";
        }
        if tls.implicit {
            text += "TLSOptions UseImplicitSSL\n";
        }
        if tls.client_certificates {
            text += &format!(
                "TLSVerifyClient on\nTLSCACertificateFile {certificates}/ca.pem\n\
                 TLSCARevocationFile {certificates}/crl.pem\n"
            );
        } else {
            text += "TLSVerifyClient off\n";
        }
    }
    let mut command = Command::new(peer("proftpd-core/usr/sbin/proftpd"));
    command
        .args(["-n", "-q", "-c"])
        .arg(config(scratch, "proftpd.conf", &text));
    Launch {
        command,
        accounts: true,
    }
}
